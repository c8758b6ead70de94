"""Batch answering: rows of files in, ranked labels out, on this machine or on a Ray cluster.

`rows` reads texts, `answers` ranks their labels, `writers` puts them down. Many files (shards) are a `Job`: each shard
is answered as a whole by one worker and appears under its name when it is complete, so that a job that was killed goes
on where it was. `local` and `ray_data` are the two engines; they differ in who does a shard, not in what is done to it
(`work`).
"""
