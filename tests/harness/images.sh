#!/usr/bin/env bash
# Builds redis:7-alpine and rabbitmq:3-management-alpine stand-ins from Debian's own packages and
# pushes them to a local registry: images.sh REGISTRY WORKFOLDER
#
# They keep what the real ones promise: redis-server on the path and /data; RABBITMQ_DEFAULT_USER,
# _PASS and _VHOST, the fixed node name, a volume at /var/lib/rabbitmq, port 15672 for management.
set -euo pipefail
registry=$1 work=$2
root=$work/rootfs
if [ ! -e "$work/rootfs.done" ]; then
  rm -rf "$root"
  debootstrap --variant=minbase --include=redis-server,rabbitmq-server bookworm "$root" >"$work/debootstrap.log" 2>&1 ||
    { tail -20 "$work/debootstrap.log" >&2; exit 1; }
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/locale
  rm -rf "$root"/var/lib/rabbitmq/mnesia "$root"/var/lib/rabbitmq/.erlang.cookie
  mkdir -p "$root/data"
  echo '[rabbitmq_management].' >"$root/etc/rabbitmq/enabled_plugins"
  cat >"$root/usr/local/bin/rabbitmq-entrypoint" <<'ENTRYPOINT'
#!/bin/sh
set -e
chown -R rabbitmq:rabbitmq /var/lib/rabbitmq
export HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
exec setpriv --reuid=rabbitmq --regid=rabbitmq --clear-groups /usr/lib/rabbitmq/bin/rabbitmq-server
ENTRYPOINT
  chmod 755 "$root/usr/local/bin/rabbitmq-entrypoint"
  touch "$work/rootfs.done"
fi
tag() { # image, then what `docker import` changes
  local image=$1; shift
  if ! curl -fsS -o /dev/null "http://$registry/v2/${image%:*}/manifests/${image#*:}" 2>/dev/null; then
    tar -C "$root" -c . | docker import "$@" - "$registry/$image" >/dev/null
    docker push -q "$registry/$image" >/dev/null
    docker rmi -f "$registry/$image" >/dev/null
  fi
}
tag redis:7-alpine --change 'CMD ["redis-server"]' --change 'WORKDIR /data' --change 'VOLUME /data' --change 'EXPOSE 6379'
tag rabbitmq:3-management-alpine --change 'CMD ["/usr/local/bin/rabbitmq-entrypoint"]' \
  --change 'VOLUME /var/lib/rabbitmq' --change 'EXPOSE 5672 15672'
