#!/usr/bin/env python3
"""pgbench on pglited and on PostgreSQL, in one run, round by round in turn: TPS, latency, and the servers' CPU time per transaction.

  benches/pgbench.py --pgbin DIR [--pglited PATH] [--scale 10] [--seconds 10] [--rounds 3] [--cells S:prepared:8 tpcb:prepared:8 ...]

DIR holds PostgreSQL's programs (initdb, postgres, pgbench...); ../shared/pg18/oracle.sh bin prints one. A cell is SCRIPT:PROTOCOL:CLIENTS with
SCRIPT one of S (select only), N (simple update), tpcb. Both servers keep their data on the same disk, commits are waited for, connections are
over TCP on the loopback. CPU time is that of the whole process tree, from /proc; where hardware counters work, use
../shared/perf/pgbench_matrix.py for instructions. Prints a Markdown table. PostgreSQL's server does not run as root: user nobody is used then.
"""
import argparse, os, pathlib, re, shutil, signal, statistics, subprocess, sys, tempfile, time

TICK = os.sysconf("SC_CLK_TCK")
TUNED = """shared_buffers=2GB
max_wal_size=4GB
checkpoint_timeout=15min
listen_addresses='127.0.0.1'
max_connections=200
"""


def tree(pid):
    kids = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
            kids.setdefault(int(text[text.rindex(")") + 2 :].split()[1]), []).append(int(stat.parent.name))
        except OSError:
            pass
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += kids.get(found[-1], [])
    return found


def cpu_seconds(pid):
    """CPU used by a process, its descendants and those that have ended: (user, system)."""
    user = system = 0
    for p in tree(pid):
        try:
            text = pathlib.Path(f"/proc/{p}/stat").read_text()
            times = [int(x) for x in text[text.rindex(")") + 2 :].split()[11:15]]
            user += times[0] + times[2]
            system += times[1] + times[3]
        except OSError:
            pass
    return user / TICK, system / TICK


def memory_mb(pid):
    total = 0
    for p in tree(pid):
        try:
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


class Server:
    def __init__(self, name, port, process):
        self.name, self.port, self.process = name, port, process

    def conninfo(self):
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"


def start_pglited(path, directory, port):
    process = subprocess.Popen([path, "--data", f"{directory}/pglite", "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL)
    return Server("pglite", port, process)


def start_postgres(pgbin, directory, port):
    data = f"{directory}/postgres"
    os.mkdir(data)
    as_user = []
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", data], check=True)
        os.chmod(directory, 0o755)
        as_user = ["setpriv", "--reuid=nobody", "--clear-groups", "--"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*as_user, f"{pgbin}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"], check=True, **quiet)
    with open(f"{data}/postgresql.conf", "a") as conf:
        conf.write(f"{TUNED}port={port}\nunix_socket_directories='{data}'\n")
    process = subprocess.Popen([*as_user, f"{pgbin}/postgres", "-D", data], **quiet)
    return Server("PostgreSQL", port, process)


def wait_ready(pgbin, server):
    for _ in range(200):
        if subprocess.run([f"{pgbin}/psql", "-XAtqd", server.conninfo(), "-c", "select 1"], capture_output=True).returncode == 0:
            return
        time.sleep(0.05)
    sys.exit(f"{server.name} does not answer")


def run_cell(pgbin, server, cell, seconds):
    script, protocol, clients = cell.split(":")
    flags = {"S": ["-S"], "N": ["-N"], "tpcb": []}[script]
    before = cpu_seconds(server.process.pid)
    out = subprocess.run(
        [f"{pgbin}/pgbench", "-n", "-M", protocol, "-c", clients, "-j", "2", "-T", str(seconds), *flags, server.conninfo()],
        capture_output=True, text=True, check=True).stdout
    used = [now - then for now, then in zip(cpu_seconds(server.process.pid), before)]
    number = lambda pattern: float(re.search(pattern, out)[1])
    transactions = number(r"actually processed: (\d+)")
    failed = number(r"failed transactions: (\d+)")
    return number(r"tps = ([\d.]+)"), number(r"latency average = ([\d.]+)"), sum(used) / transactions * 1e6, used[1] / transactions * 1e6, failed


def programs(doc):
    """The arguments that name both servers' programs."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pgbin", required=True)
    parser.add_argument("--pglited", default="target/release/pglited")
    return parser


def main():
    parser = programs(__doc__)
    parser.add_argument("--scale", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", nargs="*", default=["S:prepared:8", "tpcb:prepared:8"])
    a = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="pglite-bench-")
    servers = [start_postgres(a.pgbin, directory, 54981), start_pglited(a.pglited, directory, 54982)]
    try:
        for server in servers:
            wait_ready(a.pgbin, server)
            began = time.time()
            subprocess.run([f"{a.pgbin}/pgbench", "-iq", "-s", str(a.scale), server.conninfo()], check=True, capture_output=True)
            print(f"{server.name}: pgbench -i -s {a.scale} in {time.time() - began:.1f} s", flush=True)
        print("\n| cell | server | TPS median [min-max] | ratio | latency ms | server CPU µs/transaction | ratio | of it system | failed | memory MB |\n|---|---|---|---|---|---|---|---|---|---|")
        for cell in a.cells:
            results = {server.name: [] for server in servers}
            for turn in range(a.rounds):
                for server in servers if turn % 2 == 0 else servers[::-1]:
                    results[server.name].append(run_cell(a.pgbin, server, cell, a.seconds))
            base = None
            for server in servers:
                tps, latency, cpu, system, failed = zip(*results[server.name])
                median = (statistics.median(tps), statistics.median(cpu))
                base = base or median
                print(f"| {cell} | {server.name} | {median[0]:.0f} [{min(tps):.0f}-{max(tps):.0f}] | {median[0] / base[0]:.2f} | {statistics.median(latency):.3f} "
                      f"| {median[1]:.1f} | {median[1] / base[1]:.2f} | {statistics.median(system):.1f} | {sum(failed):.0f} | {memory_mb(server.process.pid):.0f} |", flush=True)
    finally:
        for server in servers:
            server.process.send_signal(signal.SIGINT if server.name == "PostgreSQL" else signal.SIGTERM)
            server.process.wait(30)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
