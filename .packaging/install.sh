#!/bin/sh
# Installs harmony @VERSION@ for one user:  curl -fsSL @REPOSITORY@/releases/latest/download/install.sh | sh
#
#   HARMONY_PREFIX    where it goes: PREFIX/bin, PREFIX/share (~/.local)
#   HARMONY_RELEASE   where the archive is (@REPOSITORY@/releases/download/v@VERSION@)
#   sh install.sh --uninstall    removes it again
#
# Exit code 3: there is no package for this system.
# The archive must have the published checksum and the release's signature, else nothing is installed.
set -eu

version='@VERSION@'
prefix=${HARMONY_PREFIX:-$HOME/.local}
release=${HARMONY_RELEASE:-@REPOSITORY@/releases/download/v$version}
files=$prefix/share/harmony/files

fail() {
  echo "error: $1" >&2
  [ -z "${2:-}" ] || echo "  fix: $2" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

public_key() {
  cat <<'KEY'
@PUBLIC_KEY@
KEY
}

target() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64 | Linux-amd64) echo x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) echo aarch64-unknown-linux-musl ;;
    Darwin-x86_64) echo x86_64-apple-darwin ;;
    Darwin-arm64) echo aarch64-apple-darwin ;;
    *)
      echo "error: there is no package for $(uname -s) on $(uname -m)" >&2
      echo "  fix: cargo install --locked --git @REPOSITORY@" >&2
      return 3
      ;;
  esac
}

download() { # NAME
  if has curl; then
    curl -fsSL --retry 2 -o "$work/$1" "$release/$1"
  elif has wget; then
    wget -q -O "$work/$1" "$release/$1"
  else
    fail "neither curl nor wget is here" "install one of them"
  fi || fail "cannot download $release/$1"
}

checksum() { # FILE
  if has sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

verify() { # NAME
  expected=$(cut -d ' ' -f 1 "$work/$1.sha256")
  [ "$(checksum "$work/$1")" = "$expected" ] || fail "$1 does not have the published checksum" "try again"
  has openssl || fail "the signature cannot be checked without openssl" "install openssl"
  public_key >"$work/key.pem"
  openssl dgst -sha256 -verify "$work/key.pem" -signature "$work/$1.sig" "$work/$1" >/dev/null 2>&1 ||
    fail "$1 does not have the signature of the release" "do not use it, and tell the maintainers"
}

uninstall() {
  [ -f "$files" ] || fail "no harmony that this script installed is in $prefix"
  list=$(cat "$files")
  printf '%s\n' "$list" | while IFS= read -r file; do rm -f "$prefix/$file"; done
  rm -f "$files"
  # Then the folders that are empty now, the deepest first.
  { printf '%s\n' "$list"; echo share/harmony/files; } | while IFS= read -r file; do
    folder=${file%/*}
    while [ "$folder" != . ]; do
      rmdir "$prefix/$folder" 2>/dev/null || break
      case $folder in */*) folder=${folder%/*} ;; *) break ;; esac
    done
  done
}

install() {
  target=$(target)
  name=harmony-$version-$target
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  for file in "$name.tar.gz" "$name.tar.gz.sha256" "$name.tar.gz.sig"; do download "$file"; done
  verify "$name.tar.gz"
  tar -xzf "$work/$name.tar.gz" -C "$work"
  if [ -f "$files" ]; then uninstall; fi
  mkdir -p "$prefix"
  (cd "$work/$name" && find . -type f | sed 's|^\./||') >"$work/files"
  (cd "$work/$name" && tar -cf - .) | tar -xf - -C "$prefix"
  mv "$work/files" "$files"
  echo "harmony $version is in $prefix/bin"
  case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) echo "Put $prefix/bin on your PATH to run it by its name." ;;
  esac
}

case ${1:-} in
  '') install ;;
  --uninstall) uninstall ;;
  *) fail "unknown argument $1" "use none, or --uninstall" ;;
esac
