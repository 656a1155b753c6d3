`log.formatter: json` holds for the access log, every event has the id of its request or the name of its work, and an audit trail records who pushed and deleted what.
