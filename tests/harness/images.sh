#!/usr/bin/env bash
# Builds stand-ins for the official Redis, Valkey and RabbitMQ images from Debian's own packages, in
# two generations, and pushes them to a local registry: images.sh REGISTRY WORKFOLDER
#
# They keep what the real ones promise: the server on the path and its version in a variable; an
# entry point that starts as root, takes its data folder over and goes on as an ordinary user without
# capabilities (Redis 8 also clears the bounding set); RABBITMQ_DEFAULT_USER, _PASS and _VHOST, the
# fixed node name, a volume at /var/lib/rabbitmq, port 15672 for management.
set -euo pipefail
registry=$1 work=$2

rootfs() { # suite, then its packages
  local suite=$1 root=$work/$1 packages=$2
  [ ! -e "$root.done" ] || return 0
  rm -rf "$root"
  debootstrap --variant=minbase --include="$packages" "$suite" "$root" >"$work/$suite.log" 2>&1 ||
    { tail -20 "$work/$suite.log" >&2; exit 1; }
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale,man}
  rm -rf "$root"/var/lib/rabbitmq/mnesia "$root"/var/lib/rabbitmq/.erlang.cookie
  mkdir -p "$root/data"
  echo '[rabbitmq_management].' >"$root/etc/rabbitmq/enabled_plugins"
  cat >"$root/usr/local/bin/server-entrypoint" <<'ENTRYPOINT'
#!/bin/sh
set -e
user=${1%-server}
if [ "$(id -u)" = 0 ]; then
  case $1 in
    redis-server) setpriv --reuid=redis --regid=redis --clear-groups test -r "${2:-/}" || chown redis "$2"
      drop='--nnp --inh-caps=-all --bounding-set=-all' folder=. ;;
    valkey-server) drop= folder=. ;;
    rabbitmq-server) drop= folder=/var/lib/rabbitmq user=rabbitmq ;;
    *) exec "$@" ;;
  esac
  find "$folder" \! -user "$user" -exec chown "$user" '{}' +
  exec setpriv --reuid="$user" --regid="$user" --clear-groups $drop "$0" "$@"
fi
if [ "$1" = rabbitmq-server ]; then
  export HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
  exec /usr/lib/rabbitmq/bin/rabbitmq-server
fi
exec "$@"
ENTRYPOINT
  chmod 755 "$root/usr/local/bin/server-entrypoint"
  touch "$root.done"
}

version() { # suite, package: the upstream version
  dpkg-query --admindir="$work/$1/var/lib/dpkg" -W -f '${Version}' "$2" | sed 's/^[0-9]*://; s/[-+].*//'
}

tag() { # suite, image, its version's variable and package, then what `docker import` changes
  local suite=$1 image=$2 variable=$3 package=$4; shift 4
  if curl -fsS -o /dev/null "http://$registry/v2/${image%:*}/manifests/${image#*:}" 2>/dev/null; then return; fi
  tar -C "$work/$suite" -c . |
    docker import --change 'ENTRYPOINT ["server-entrypoint"]' --change "ENV $variable=$(version "$suite" "$package")" "$@" \
      - "$registry/$image" >/dev/null
  docker push -q "$registry/$image" >/dev/null
  docker rmi -f "$registry/$image" >/dev/null
}

generation() { # suite, tags of redis and rabbitmq
  tag "$1" "redis:$2" REDIS_VERSION redis-server \
    --change 'CMD ["redis-server"]' --change 'WORKDIR /data' --change 'VOLUME /data' --change 'EXPOSE 6379'
  tag "$1" "rabbitmq:$3" RABBITMQ_VERSION rabbitmq-server \
    --change 'CMD ["rabbitmq-server"]' --change 'VOLUME /var/lib/rabbitmq' --change 'EXPOSE 5672 15672'
}

rootfs bookworm redis-server,rabbitmq-server & older=$!
rootfs testing redis-server,rabbitmq-server,valkey-server
wait "$older"
generation bookworm 7-alpine 3-management-alpine
generation testing 8-alpine 4-management-alpine
tag testing valkey/valkey:9-alpine VALKEY_VERSION valkey-server \
  --change 'CMD ["valkey-server"]' --change 'WORKDIR /data' --change 'VOLUME /data' --change 'EXPOSE 6379'
