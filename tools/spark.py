"""A Spark of one's own: a standalone master with two workers and a Connect server on loopback, for as long as a command
runs.

    python -m tools.spark FOLDER -- COMMAND …

FOLDER is a virtual environment with pyspark[connect] (`make spark` makes it); Java 17 has to be there. The command
finds the server's address in REGULARS_TEST_SPARK.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLASS = "org.apache.spark.deploy"
PATIENCE = 180.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started below is stopped
    folder, command = Path(sys.argv[1]), sys.argv[sys.argv.index("--") + 1 :]
    home = next(folder.glob("lib/python3*/site-packages/pyspark")).resolve()
    with tempfile.TemporaryDirectory(prefix="regulars-spark-") as scratch, contextlib.ExitStack() as running:
        env = os.environ | {
            "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": scratch,
            "SPARK_WORKER_DIR": scratch, "SPARK_DAEMON_MEMORY": "768m",
        }  # fmt: skip
        log = running.enter_context((Path(scratch) / "log").open("w+"))

        def start(*arguments: str) -> None:
            # In a group of its own: the scripts start Java below them.
            process = subprocess.Popen(arguments, env=env, stdout=log, stderr=log, start_new_session=True)

            def stop() -> None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)

            running.callback(stop)

        def wait(port: int) -> None:
            end = time.monotonic() + PATIENCE
            while not listens(port):
                if time.monotonic() > end:
                    log.seek(0)
                    sys.exit(f"Spark didn't start:\n{log.read()[-4000:]}")
                time.sleep(0.2)

        master, connect = free_port(), free_port()
        spark_class = str(home / "bin" / "spark-class")
        start(spark_class, f"{CLASS}.master.Master", "--host", "127.0.0.1", "--port", str(master), "--webui-port", "0")
        wait(master)
        for _ in range(2):
            start(
                spark_class, f"{CLASS}.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", "1",
                "--memory", "1g", f"spark://127.0.0.1:{master}",
            )  # fmt: skip
        conf = {
            "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": connect,
            "spark.driver.host": "127.0.0.1", "spark.executor.memory": "700m", "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": 4, "spark.sql.warehouse.dir": scratch,
        }  # fmt: skip
        start(
            str(home / "bin" / "spark-submit"), "--master", f"spark://127.0.0.1:{master}", "--driver-memory", "1g",
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
            *(part for key, value in conf.items() for part in ("--conf", f"{key}={value}")), "spark-internal",
        )  # fmt: skip
        wait(connect)
        address = f"sc://127.0.0.1:{connect}"
        print(f"Spark listens at {address}", flush=True)
        return subprocess.call(command, env=os.environ | {"REGULARS_TEST_SPARK": address})


sys.exit(main())
