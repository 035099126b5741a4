"""Real servers for tests: started on free loopback ports, data in a temporary folder, stopped by
the test that started them. One file per server; each has `missing()`, which says
why it cannot be started here, or nothing, and a class."""
