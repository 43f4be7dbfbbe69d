//! The exporter against collectors that take, refuse, hang and are not there.
