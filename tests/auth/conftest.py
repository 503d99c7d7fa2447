"""SPDX-License-Identifier: BSD-3-Clause"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from fixtures import *  # noqa: E402,F401,F403
from kerberos import *  # noqa: E402,F401,F403
