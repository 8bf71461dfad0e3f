"""`python -m manor.relay`: a stream process, started by the daemon and by nobody else."""

import sys

from manor.relay.process import serve

if __name__ == "__main__":
    descriptor, processors = sys.argv[1:]
    serve(int(descriptor), [int(number) for number in processors.split(",") if number])
