#include "analyzer/command_ending.h"

#include "analyzer/exit_status.h"
#include "analyzer/pattern.h"
#include "analyzer/session_store.h"
#include "analyzer/stop_signals.h"
#include "bisect/runner.h"
#include "repo_reader/config.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

CommandEnding ending_of_exception() {
  try {
    throw;
  } catch (const UsageError& error) {
    return {exit_usage, error.what()};
  } catch (const BadPattern& error) {
    return {exit_usage, error.what()};
  } catch (const repo_reader::InputError& error) {
    return {exit_bad_input, error.what()};
  } catch (const repo_reader::ConfigError& error) {
    return {exit_bad_input, error.what()};
  } catch (const Interrupted& interrupted) {
    return {128 + interrupted.signal, "interrupted before the first probe; nothing was lost"};
  } catch (const MissingSession& error) {
    return {exit_bad_input, error.what()};
  } catch (const BudgetEnded& error) {
    return {exit_inconclusive, error.what()};
  } catch (const bisect::CannotRun& error) {
    return {exit_cannot_run, error.what()};
  } catch (const UnusableSession& error) {
    return {exit_bad_input, error.what()};
  } catch (const SessionError& error) {
    return {exit_internal_error, error.what()};
  } catch (const OutputError& error) {
    return {exit_internal_error, error.what()};
  } catch (const std::exception& error) {
    return {exit_internal_error,
            std::string("internal error: ") + error.what() +
                "\nThis is a defect of flakebisect; please report it with the command line."};
  }
}

}  // namespace flakebisect::analyzer
