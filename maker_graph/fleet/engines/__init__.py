"""The engines, which hand the open runs of a fleet to living workers: DBOS and Ray, behind one small protocol."""
