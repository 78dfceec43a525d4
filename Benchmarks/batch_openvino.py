"""A job through OpenVINO GenAI's continuous batching with prefix caching: batch_openvino.py MODEL_FOLDER JOB [threads=2]

The folder is a model for OpenVINO with INT8 weights, as peers/openvino_model.py makes it of the same file in F16. All requests are added at the beginning; the pipeline schedules them.
"""
import json
import pathlib
import sys
import time

import numpy as np
import openvino
import openvino_genai

from batch_job import JOBS, make_job


def main(folder, job, threads=2):
    start = time.perf_counter()
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.dynamic_split_fuse = True
    scheduler.max_num_batched_tokens = 512
    scheduler.max_num_seqs = 64
    scheduler.cache_size = 4
    pipeline = openvino_genai.ContinuousBatchingPipeline(
        folder, openvino_genai.Tokenizer(folder), scheduler, "CPU", INFERENCE_NUM_THREADS=int(threads))
    settings = JOBS[job]
    told = pathlib.Path(folder) / "vocabulary"
    job = make_job(vocabulary=int(told.read_text()) if told.exists() else 49152, **settings)
    options = openvino_genai.GenerationConfig(max_new_tokens=job["output_tokens"], ignore_eos=True, do_sample=False, eos_token_id=0)
    handles = [
        pipeline.add_request(number, openvino.Tensor(np.array([prompt], np.int64)), options)
        for number, prompt in enumerate(job["prompts"])
    ]
    while pipeline.has_non_finished_requests():
        pipeline.step()
    generated = sum(len(handle.read_all()[0].generated_ids) for handle in handles)
    assert generated == len(job["prompts"]) * job["output_tokens"], generated
    print(json.dumps({"seconds": time.perf_counter() - start, "generated_tokens": generated}))


if __name__ == "__main__":
    main(*sys.argv[1:])
