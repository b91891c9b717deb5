"""What the servers of this folder tell the test: JSON lines on their standard output, or in a file."""
import json
import os
import queue
import sys
import threading


class Recorder:
    """Writes lines from a thread of its own: a reader that waits for us first must not stop the server."""

    def __init__(self, path):
        self.out = open(path, "a") if path else sys.stdout
        self.lines = queue.SimpleQueue()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            line = self.lines.get()
            try:
                self.out.write(line)
                self.out.flush()
            except OSError:             # the test has gone
                os._exit(0)

    def write(self, value):
        self.lines.put(json.dumps(value) + "\n")
