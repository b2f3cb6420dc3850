#!/usr/bin/env bash
# gate.sh BUILD COMPILER [--write]: counts what may not grow, and compares it with gate.txt; --write renews that. ./dev gate.
# Nothing is timed: instructions are valgrind's, of one thread on AVX2, sizes are the linker's and the preprocessor's.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 compiler=$2 write=${3:-}
table=$here/gate.txt

skip() { echo "skipped: $1"; exit 0; }
command -v valgrind >/dev/null || skip "valgrind is not installed"
grep -qw avx2 /proc/cpuinfo 2>/dev/null || skip "this machine has no AVX2"
built_by="compiler $("$compiler" --version | sed -n '1s/^[^ ]* //p')"
[[ $write == --write ]] || grep -qxF "# $built_by" "$table" || skip "gate.txt is of another compiler than ${built_by#compiler }"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

works=(chain.1 chain_product.1 chain.4096 gelu.2^20 norm.256x1024 conv.64x1x28x28 images.1-8-16 gru mlp.2-16-2
  adam.200x64 adam.2^20 lion.200x64 hessian.400x91 rows.256 lbfgs.rosenbrock)

# Instructions of one repeat of a benchmark.
instructions() {
  local out=$scratch/$1
  echo "counted $1" | XGRAD_SIMD=avx2 OMP_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell valgrind --tool=callgrind \
    --toggle-collect=xgrad_bench_counted --callgrind-out-file="$out" "$build/bin/bench_xgrad" >"$out.said" 2>&1
  if grep -q "^error" "$out.said"; then
    cat "$out.said" >&2
    return 1
  fi
  awk -v name="$1" '/^(summary|totals):/ {count = $2} END {print "instructions", name, count}' "$out"
}

# Bytes of a library that are loaded: code, constants, numbers.
library() { size "$build/lib/libxgrad_$1.so" | awk -v name="$1" 'NR == 2 {print "library", name, $4}'; }

# Bytes that a compiler reads for a program that includes a part.
headers() {
  echo "#include <xgrad/$1.hpp>" | "$compiler" -std=c++20 -I "$build/include" -E -P -x c++ - | wc -c |
    awk -v name="$1" '{print "headers", name, $1}'
}

# Bytes that GCC asks for to compile a small program.
compiling() {
  "$compiler" -std=c++20 -O2 -I "$build/include" -ftime-report -S -o /dev/null "$here/compile_xgrad.cpp" 2>&1 |
    awk '/TOTAL/ {n = $NF; unit = n ~ /G$/ ? 1024 : n ~ /k$/ ? 1 / 1024 : 1; sub(/[GMk]$/, "", n); print "compiling", "spirals,MB", n * unit}'
}

export -f instructions library headers compiling
export scratch build compiler here
{
  printf 'instructions %s\n' "${works[@]}"
  printf 'library %s\n' autodiff nn optim data training
  printf 'headers %s\n' autodiff nn optim data training
  echo compiling
} | xargs -P "$(nproc)" -I{} bash -euc '{}' >"$scratch/counted"

if [[ $write == --write ]]; then
  {
    echo "# What may not grow, and by how many percent it may: ./dev gate --write renews the counts. Of"
    echo "# $built_by"
    sort "$scratch/counted" | awk '{print $1, $2, $3, 5}' | column -t
  } >"$table.new"
  mv "$table.new" "$table"
  cat "$table"
  exit
fi

awk '
  NR == FNR { now[$1 " " $2] = $3; next }
  /^#/ || NF != 4 { next }
  {
    name = $1 " " $2
    if (!(name in now) || now[name] == "") { print "GONE   " name; wrong = 1; next }
    percent = 100 * (now[name] / $3 - 1)
    word = percent > $4 ? "GREW" : percent < -$4 ? "fell" : "ok"
    if (word == "GREW") wrong = 1
    if (word == "fell") renew = 1
    printf "%-6s %-32s %12d %+6.1f %%  (%d before; may grow by %d %%)\n", word, name, now[name], percent, $3, $4
    seen[name] = 1
  }
  END {
    for (name in now) if (!(name in seen)) { print "NEW    " name; wrong = 1 }
    if (renew && !wrong) print "Some fell: ./dev gate --write keeps what was won."
    if (wrong) print "What grew must not, or say in the commit why it does, and renew the table: ./dev gate --write"
    exit wrong
  }' "$scratch/counted" "$table"
