# A Docker engine for tests: sourced by the scripts beside it.
#   find_engine    uses the engine that runs; else starts one, installing Debian's if CI asks
#   stop_engine    stops it again if it was started here
#   find_tools     $docker, the client, and $compose, the words that run Compose
#   image_of NAME  the image of that name in .env.example

deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
engine_folder=""

image_of() { sed -n "s/^$1=//p" "$deploy/../.env.example"; }

# A client that can build with BuildKit: Debian's has it inside, newer ones need the plugin.
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

# Compose 1 builds by BuildKit only if told to, and by the first client on the path.
find_tools() {
  docker=$(find_client) || { echo "no Docker client that builds with BuildKit" && return 1; }
  compose=$(find_compose) || { echo "no Docker Compose" && return 1; }
  export docker compose DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
  export PATH="$(dirname "$(command -v "$docker")"):$PATH"
}

# Says why there is no engine and fails, if there is none.
find_engine() {
  if find_tools >/dev/null && "$docker" info >/dev/null 2>&1; then
    return
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "no Docker engine answers, and only root could start one" && return 1
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
    echo "missing: ${missing[*]}; with CI=true they are installed" && return 1
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
    "$docker" info >/dev/null 2>&1 && echo "started a Docker engine" && return
    sleep 0.5
  done
  echo "dockerd did not start: $(grep -v level=info "$engine_folder/log" | tail -1)"
  stop_engine
  return 1
}

stop_engine() {
  [ -n "$engine_folder" ] || return 0
  local pid
  pid=$(cat "$engine_folder/pid" 2>/dev/null) && kill "$pid" 2>/dev/null \
    && while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  rm -rf "$engine_folder"
  engine_folder=""
}
