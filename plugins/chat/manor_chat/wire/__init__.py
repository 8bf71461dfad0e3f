"""Objects as the API has them: every member is there, times are milliseconds, an id that is not there is ""."""
