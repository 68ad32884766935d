"""The worker package of Nexora OS: what a database cannot do by itself.

It talks to platforms (`providers`), holds the token keyring (`vault`), runs the jobs that the database hands
out (`jobs`) and answers OAuth redirects (`web`). State lives in the database; a process can be killed at any
moment and any number of them can run side by side.
"""
