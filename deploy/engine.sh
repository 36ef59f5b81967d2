# Functions for a Docker daemon in tests; sourced by the other scripts.
#   find_engine    use the running daemon, or start one; with CI=true, install Debian's if missing
#   stop_engine    stop the daemon if find_engine started it; with CI=true, first remove what
#                  earlier builds left, which otherwise fills the disk within tens of runs
#   find_tools     set $docker, the client, and $compose, the command that runs Compose
#   image_of NAME  print the image of that name in .env.example

deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
engine_folder=""

image_of() { sed -n "s/^$1=//p" "$deploy/../.env.example"; }

# Print a client that can build with BuildKit: built in up to version 22, later a plugin.
find_client() {
  local candidate
  for candidate in docker /usr/bin/docker; do
    command -v "$candidate" >/dev/null || continue
    case $("$candidate" version --format '{{.Client.Version}}' 2>/dev/null) in
      1[0-9].* | 20.* | 21.* | 22.*) echo "$candidate" && return ;;
    esac
    "$candidate" buildx version >/dev/null 2>&1 && echo "$candidate" && return
  done
  return 1
}

find_compose() {
  if "$docker" compose version >/dev/null 2>&1; then
    echo "$docker compose"
  else
    command -v docker-compose
  fi
}

# Compose 1 uses BuildKit only with these variables, and the first client on the path.
find_tools() {
  docker=$(find_client) || { echo "no Docker client with BuildKit" && return 1; }
  compose=$(find_compose) || { echo "Docker Compose is not installed" && return 1; }
  export docker compose DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
  export PATH="$(dirname "$(command -v "$docker")"):$PATH"
}

# Without a daemon, print the reason and fail.
find_engine() {
  if find_tools >/dev/null && "$docker" info >/dev/null 2>&1; then
    return
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "no Docker daemon is running, and only root can start one" && return 1
  fi
  install_engine || return 1
  find_tools || return 1
  start_engine
}

install_engine() {
  local missing=()
  command -v dockerd >/dev/null && find_client >/dev/null || missing+=(docker.io iptables)
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null \
    || missing+=(docker-compose)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "${CI:-}" != true ]; then
    echo "missing packages: ${missing[*]} (installed only with CI=true)" && return 1
  fi
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 \
    || { echo "apt-get could not install ${missing[*]}" && return 1; }
}

start_engine() {
  engine_folder=$(mktemp -d)
  setsid dockerd --pidfile "$engine_folder/pid" >"$engine_folder/log" 2>&1 &
  local waited
  for waited in $(seq 60); do
    "$docker" info >/dev/null 2>&1 && echo "started a Docker daemon" && return
    sleep 0.5
  done
  echo "dockerd did not start: $(grep -v level=info "$engine_folder/log" | tail -1)"
  stop_engine
  return 1
}

stop_engine() {
  [ -n "$engine_folder" ] || return 0
  if [ "${CI:-}" = true ]; then
    { "$docker" container prune --force; "$docker" image prune --force
      "$docker" builder prune --force --keep-storage 5GB; } >/dev/null 2>&1 || true
  fi
  local pid
  pid=$(cat "$engine_folder/pid" 2>/dev/null) && kill "$pid" 2>/dev/null \
    && while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  rm -rf "$engine_folder"
  engine_folder=""
}
