"""A Python process that runs one snippet after another, as JSON lines: the snippets share their globals."""

import json
import os
import sys
import traceback

# What a snippet or a library prints must not come between the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

shared = {"__name__": "session"}
for line in sys.stdin:
    request = json.loads(line)
    shared["input"], shared["output"] = request["input"], None
    try:
        exec(compile(request["source"], "<snippet>", "exec"), shared)
        answer = {"output": shared["output"]}
    except Exception as error:
        answer = {"error": traceback.format_exc()[-6000:], "code": getattr(error, "code", None), "message": str(error)}
    answers.write(json.dumps(answer, default=str) + "\n")
    answers.flush()
