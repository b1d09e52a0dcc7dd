#!/bin/bash
# A run on the nodes of one Slurm job: a worker on each task, the scheduler and the run on the first node.
#     sbatch deploy/farm/slurm.sh configs/nightly.yaml
# Everything named below lies in a folder that all nodes see under the same path. Further words go to
# `stylize run`. Where the cluster gives nodes one by one, see slurm.py.
#SBATCH --job-name=stylize
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2G
#SBATCH --time=08:00:00
# A minute before the time is over, SIGTERM to this script alone, which has the run saved.
#SBATCH --signal=B:TERM@60
set -eu

stylize=${STYLIZE_HOME:-/srv/stylize}/.venv/bin
work=$(mktemp -d "${STYLIZE_WORK:-$PWD}/farm-${SLURM_JOB_ID:-0}-XXXXXX")
address=$work/scheduler.json
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT

"$stylize/dask" scheduler --no-dashboard --port 0 --scheduler-file "$address" &
# --memory-limit 0: max_memory is the manifest's. A worker that finds no scheduler for a minute ends.
srun --kill-on-bad-exit=0 "$stylize/dask" worker --no-dashboard --scheduler-file "$address" \
  --nworkers 1 --nthreads "${SLURM_CPUS_PER_TASK:-1}" --resources slot=1 --memory-limit 0 \
  --death-timeout 60 --local-directory "${TMPDIR:-/tmp}" &

"$stylize/stylize" run "$@" --engine dask --scheduler "$address" --wait 10m &
run=$!
trap 'kill -TERM $run' TERM INT
code=0
wait $run || code=$?
# The signal ended the waiting, and not the run: now it has saved.
if kill -0 $run 2>/dev/null; then
  code=0
  wait $run || code=$?
fi
exit $code
