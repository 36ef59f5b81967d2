"""What was compiled once is there for every process."""

import os
import subprocess
import sys
from pathlib import Path

_COUNT = """
from levy_numerics import implied_vol_single, warming
from levy_numerics.pricing import sinh_loops
warming.main()
loops = [
    sinh_loops.sum_up,
    sinh_loops.reached,
    implied_vol_single._fill,
    implied_vol_single._fill_out_of_the_money,
]
print(*(sum(loop.stats.cache_hits.values()) for loop in loops))
print(*(len(loop.signatures) for loop in loops))
"""


def warmed(cache: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _COUNT],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_second_process_compiles_nothing_and_each_loop_has_one_signature(
    tmp_path: Path,
) -> None:
    assert warmed(tmp_path) == ["0 0 0 0", "1 1 1 1"]
    assert warmed(tmp_path) == ["1 1 1 1", "1 1 1 1"]
