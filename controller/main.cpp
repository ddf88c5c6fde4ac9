// The program: hands the command line over and turns what comes back, or is thrown, into an exit code. Exceptions of
// commands are caught here and nowhere else (besides the runner).
#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "controller/cli.hpp"
#include "controller/environment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/runner.hpp"

namespace {

using namespace verdigris;

OutputStyle style_of(const Invocation& invocation) {
  return {invocation.json, invocation.quiet, invocation.verbose, is_color_wanted(invocation.no_color, 2)};
}

void prepare_environment(const Invocation& invocation, Output& output) {
  if (invocation.command != "version") refuse_password_in_environment();
  for (const std::string& name : remove_connection_defaults())
    output.detail(name + " is ignored: it would apply to blue and green alike");
}

// Runs `act`; what it throws is printed and becomes the exit code.
template <typename Act>
int guarded(Output& output, Act act) {
  try {
    return act();
  } catch (const PlaybookErrors& errors) {
    output.error(errors);
    return outcome_of(errors.failure()).code;
  } catch (const Error& error) {
    output.error(error);
    if (error.id() == "interrupted") return exit_code_of_interruption();
    return outcome_of(error.failure()).code;
  } catch (const std::exception& error) {
    output.error(Error("internal", error.what(), "This is a defect of verdigris; please report it with the command."));
    return kFailed;
  }
}

int run(const Invocation& invocation) {
  Output output(std::cout, std::cerr, style_of(invocation), invocation.command);
  return guarded(output, [&] {
    prepare_environment(invocation, output);
    return find_command(invocation)(invocation, output);
  });
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const auto has = [&](const char* flag) {
    return std::find(arguments.begin(), arguments.end(), flag) != arguments.end();
  };
  const OutputStyle style{has("--json"), false, false, is_color_wanted(has("--no-color"), 2)};
  try {
    const auto parsed = parse_command_line(arguments);
    if (const auto* help = std::get_if<Help>(&parsed)) {
      std::cout << help->text << std::flush;
      return kDone;
    }
    return run(std::get<Invocation>(parsed));
  } catch (const CommandLineError& error) {
    Output(std::cout, std::cerr, style, error.command()).error(error);
    return kUsage;
  } catch (const std::exception& error) {
    Output(std::cout, std::cerr, style, "").error(Error("internal", error.what()));
    return kFailed;
  }
}
