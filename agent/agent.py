#!/usr/bin/env python3
"""Start the monitoring agent from a checkout: ``python agent/agent.py --server http://hub:8080 --token …``."""

import sys

from wampflask_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
