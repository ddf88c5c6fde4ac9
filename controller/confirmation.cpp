#include "controller/confirmation.hpp"

#include <unistd.h>

#include <iostream>

#include "replication/errors.hpp"

namespace verdigris {

namespace {

bool is_person_there() {
  return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

}  // namespace

void require_confirmation(const Invocation& invocation, const std::string& deployment, Output& output) {
  require_confirmation(invocation, deployment, output, is_person_there(), std::cin);
}

void require_confirmation(const Invocation& invocation, const std::string& deployment, Output& output, bool is_terminal,
                          std::istream& keyboard) {
  if (invocation.dry_run) return;
  std::string answer;
  if (invocation.confirm) {
    answer = *invocation.confirm;
  } else if (is_terminal) {
    output.question("Type the deployment name to continue: ");
    std::getline(keyboard, answer);
  } else {
    throw misuse("confirm-needed",
                 invocation.command + " wants the deployment's name, and there is no terminal to ask at",
                 "Give it on the command line: --confirm " + deployment + ".");
  }
  if (answer != deployment)
    throw misuse("confirm-mismatch", "\"" + answer + "\" is not the deployment's name; nothing was done",
                 "The playbook's name is \"" + deployment + "\".");
}

bool is_agreed(const Invocation& invocation, const std::string& question, Output& output) {
  if (invocation.yes) return true;
  if (!is_person_there())
    throw misuse("consent-needed", question + ": there is no terminal to ask at", "Answer on the command line: --yes.");
  output.question(question + " [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

}  // namespace verdigris
