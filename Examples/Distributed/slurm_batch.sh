#!/bin/bash
# A batch job as a Slurm array: sbatch --array=1-16 slurm_batch.sh IN.jsonl OUT.jsonl MODEL
# Each task does its shard; --requeue has Slurm start a task again whose node was lost, and --resume goes on where it stopped.
#SBATCH --job-name=apus-batch
#SBATCH --cpus-per-task=8
#SBATCH --requeue
# Two minutes before the time limit: apus writes what is finished and ends.
#SBATCH --signal=TERM@120
set -eu
exec apus batch "$1" -o "$2.$SLURM_ARRAY_TASK_ID" --model "$3" --resume --json \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --threads "${SLURM_CPUS_PER_TASK:-1}"
