// The options of each command: one function per command that has any. They write into the Invocation, which must
// outlive the App. CLI11's own number parser is not used (it reads 010 as eight).
#pragma once

#include <CLI/CLI.hpp>

#include "controller/invocation.hpp"

namespace verdigris {

void add_global_options(CLI::App& app, Invocation& invocation);

void no_options(CLI::App& app, Invocation& invocation);
void check_options(CLI::App& app, Invocation& invocation);
void plan_options(CLI::App& app, Invocation& invocation);
void prepare_options(CLI::App& app, Invocation& invocation);
void verify_options(CLI::App& app, Invocation& invocation);
void switch_options(CLI::App& app, Invocation& invocation);
void rollback_options(CLI::App& app, Invocation& invocation);
void finish_options(CLI::App& app, Invocation& invocation);
void abandon_options(CLI::App& app, Invocation& invocation);
void recover_options(CLI::App& app, Invocation& invocation);
void set_options(CLI::App& app, Invocation& invocation);
void pooler_adopt_options(CLI::App& app, Invocation& invocation);
void sandbox_up_options(CLI::App& app, Invocation& invocation);
void sandbox_load_options(CLI::App& app, Invocation& invocation);
void sandbox_down_options(CLI::App& app, Invocation& invocation);
void sandbox_ledger_options(CLI::App& app, Invocation& invocation);
void sandbox_demo_options(CLI::App& app, Invocation& invocation);

}  // namespace verdigris
