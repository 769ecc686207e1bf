"""Many registrations: a plan of pairs, computed on a Dask cluster, with nothing lost when a process ends."""
