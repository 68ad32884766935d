"""Platforms: how each one signs people in (`oauth`) and takes posts (`base`, one module per platform).

Nothing in here knows the database: jobs hand in what is needed and get an outcome back.
"""
