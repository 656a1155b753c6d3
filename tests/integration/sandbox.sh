# Makes a machine of its own out of this one: run by `unshare --mount --net --pid --fork`.
#
#   sandbox.sh DIRECTORY TOP      DIRECTORY is of this machine only, TOP is the checkout
#
# It has its own /etc, which is a copy, nothing in /run, /var/lib and /var/log, all ports,
# and no network but a cable, "uplink", to another machine at 198.51.100.2, in whose
# network the process runs whose id is in DIRECTORY/upstream.
set -eu
directory=$1 top=$2

mount --make-rprivate /
mkdir "$directory/etc" "$directory/top" "$directory/home"
cp -a /etc/. "$directory/etc"
mount --bind "$directory/etc" /etc
mount --bind "$top" "$directory/top"
for each in /run /var/lib /var/log /var/cache /usr/share/doc; do
    mount -t tmpfs -o mode=0755 tmpfs "$each"
done
# The checkout may have been below one of these.
[ -e "$top/setup.py" ] || { mkdir -p "$top"; mount --bind "$directory/top" "$top"; }
mkdir -p /usr/share/doc/txregistry/examples /var/lib/nginx /var/log/nginx
mount --bind "$top/etc/examples" /usr/share/doc/txregistry/examples
rm -rf /etc/containers/registries.conf.d/* /etc/docker /etc/containerd /etc/txregistry
mkdir -p /etc/docker /etc/containerd /etc/txregistry /etc/containers/registries.conf.d \
    /etc/nginx/sites-enabled /etc/caddy
cat > /etc/nginx/nginx.conf <<EOF
user www-data;
pid /run/nginx.pid;
events {}
http { include /etc/nginx/sites-enabled/*; }
EOF

ip link set lo up
unshare --net sleep infinity &
echo $! > "$directory/upstream"
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add uplink type veth peer name eth0 netns $!
ip address add 198.51.100.1/24 dev uplink
ip link set uplink up
nsenter --target $! --net sh -c '
    ip link set lo up && ip address add 198.51.100.2/24 dev eth0 && ip link set eth0 up'
cat >> /etc/hosts <<EOF
127.0.0.1 registry.example.net cache.example.net
198.51.100.2 registry-1.docker.io docker.io index.docker.io
EOF

echo ready
exec sleep infinity
