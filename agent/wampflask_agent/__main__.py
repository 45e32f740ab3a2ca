"""Start the agent: ``python -m wampflask_agent``, and the program of the one file that the hub serves."""

import sys

from wampflask_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
