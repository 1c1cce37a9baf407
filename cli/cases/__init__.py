"""`bellwether cases …`: the desk's store from the command line."""
