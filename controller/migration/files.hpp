// Migrations on disk: <dir>/NNNN_name/up.sql and down.sql. Read and checked without a server; every fault of the folder
// is found at once. A migration runs in one transaction of ours, so statements that end one, or cannot be in one, and
// psql's own commands are refused.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "controller/migration/migration.hpp"

namespace verdigris {

// Ordered by number. Throws Error "migration.files" (usage) listing all faults, one a line.
std::vector<Migration> load_migrations(const std::filesystem::path& directory);

// Phrases such as "line 3: COMMIT would end the migration's transaction"; empty if the text may run.
std::vector<std::string> faults_of_sql(std::string_view sql);

}  // namespace verdigris
