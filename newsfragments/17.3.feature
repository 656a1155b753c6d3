``etc/examples``: dockerd, containerd, podman, CRI-O and k3s as clients, nginx and Caddy in front,
alerts and a scrape configuration for Prometheus, a dashboard for Grafana, a cache and its
``hosts.toml`` for Kubernetes.
