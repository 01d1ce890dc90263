//! Collect, select, plan, run, report: the test harness; knows no product.
