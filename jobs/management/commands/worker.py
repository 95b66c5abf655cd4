from typing import Any

from django.core.management.base import BaseCommand

from jobs.cluster import Cluster
from jobs.reaper import Reaper
from jobs.supervisor import Supervisor


class Command(BaseCommand):
    help = "Runs a worker cluster until TERM or Ctrl-C, and starts it again whenever it dies."

    def handle(self, *args: Any, **options: Any) -> None:
        cluster, reaper = Cluster(), Reaper()
        supervisor = Supervisor([cluster.child])
        reaper.start()
        try:
            supervisor.run(lambda: cluster.watch(supervisor))
        finally:
            reaper.stop()
            cluster.clear()
