A pull-through cache that skopeo, podman, containerd and dockerd pull through: one
download per blob for all clients, ranges on what is still arriving, stale tags in an
outage, expiry from last use, and the configuration and directories of Docker
distribution taken as they are.
