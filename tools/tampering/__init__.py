"""Tamper with logs in every way, and see whether `evt audit` says so, where, and of honest ones nothing."""
