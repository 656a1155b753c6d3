`txregistry[otel]` traces requests by OpenTelemetry where its standard `OTEL_` variables ask for it.
