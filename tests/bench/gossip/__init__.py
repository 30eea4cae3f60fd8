"""The parts of tests/bench/gossip_serf."""
