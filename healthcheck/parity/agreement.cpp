#include "healthcheck/parity/agreement.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace verdigris {
namespace {

using TablesByName = std::map<QualifiedName, const Table*>;

// Relations that hold rows which replication carries; what it does not carry is named as not covered.
TablesByName leaves(const SideCatalog& side, bool is_source, const TableSelection& filter, Agreement& agreement) {
  TablesByName out;
  const auto leave_out = [&](const std::string& id, const std::string& what) {
    agreement.uncovered.push_back(what);
    if (is_source) agreement.gaps.push_back({id, what});  // nothing of the target's is lost
  };
  for (const auto& table : side.tables) {
    if (table.is_partitioned || !filter.selects(table.root.value_or(table.name))) continue;
    if (table.is_unlogged)
      leave_out("data.unlogged", table.name.display() + " (unlogged on " + side.color + ")");
    else if (table.is_extension_owned)
      leave_out("data.extension-tables",
                table.name.display() + " (belongs to an extension on " + side.color + ")");
    else
      out.emplace(table.name, &table);
  }
  return out;
}

const Column* find(const std::vector<Column>& columns, const Identifier& name) {
  for (const auto& column : columns)
    if (column.name == name) return &column;
  return nullptr;
}

void add_note(std::string& notes, const std::string& note) {
  notes += (notes.empty() ? "" : ", ") + note;
}

std::string only_on(const Column& column, const std::string& color) {
  return "column " + column.name.raw() + " only on " + color;
}

class TableAgreement {
 public:
  TableAgreement(const Table& source, const Table& target, const HashAgreement& hashes, Agreement& out)
      : source_(source), target_(target), hashes_(hashes), out_(out) {}

  ComparedTable make(const std::string& source_color, const std::string& target_color) {
    ComparedTable result{source_.name, {}, source_.bytes, target_.bytes, {}, {}};
    for (const auto& column : source_.columns) {
      const Column* other = find(target_.columns, column.name);
      if (other == nullptr) {
        add_note(result.note, only_on(column, source_color));
        out_.gaps.push_back({"data.columns", name_of(column)});
      } else {
        add_shared(column, *other, result);
      }
    }
    for (const auto& column : target_.columns)
      if (find(source_.columns, column.name) == nullptr) add_note(result.note, only_on(column, target_color));
    result.key = shared_key(result.columns);
    return result;
  }

 private:
  // Nothing if the sides tell rows apart in different ways, or by a column that is not compared.
  std::vector<KeyColumn> shared_key(const std::vector<SharedColumn>& shared) const {
    if (std::set(source_.key.begin(), source_.key.end()) != std::set(target_.key.begin(), target_.key.end())) return {};
    std::vector<KeyColumn> key;
    for (const auto& name : source_.key) {
      const auto found = std::ranges::find(shared, name, &SharedColumn::name);
      if (found == shared.end()) return {};
      key.push_back({*found, find(source_.columns, name)->type, find(target_.columns, name)->type});
    }
    return key;
  }

  std::string name_of(const Column& column) const { return source_.name.display() + "." + column.name.raw(); }

  void add_shared(const Column& ours, const Column& theirs, ComparedTable& result) {
    if (ours.is_virtual_generated || theirs.is_virtual_generated) {
      add_note(result.note, "column " + ours.name.raw() + " is generated when read");
      return;
    }
    const auto kind = common_hash_kind(ours, theirs);
    if (!kind)
      out_.leave_out("parity.uncovered", name_of(ours) + " (" + ours.type + " and " + theirs.type + ")");
    else if (*kind == HashKind::by_text && hashes_.incomparable_types.contains(ours.type_oid))
      out_.leave_out("parity.uncovered", name_of(ours) + " (the majors print " + ours.type + " in different ways)");
    else
      result.columns.push_back({ours.name, *kind});
  }

  const Table& source_;
  const Table& target_;
  const HashAgreement& hashes_;
  Agreement& out_;
};

void compare_sequence(const Sequence& ours, const Sequence& theirs, std::vector<std::string>& differences) {
  const auto check = [&](const char* what, const std::string& a, const std::string& b) {
    if (a != b) differences.push_back("sequence " + ours.name.display() + ": " + what + " is " + a + " and " + b);
  };
  check("increment", std::to_string(ours.increment), std::to_string(theirs.increment));
  check("minimum", std::to_string(ours.min), std::to_string(theirs.min));
  check("maximum", std::to_string(ours.max), std::to_string(theirs.max));
  check("cycle", ours.cycle ? "on" : "off", theirs.cycle ? "on" : "off");
  check("cache", std::to_string(ours.cache), std::to_string(theirs.cache));
  check("type", ours.type, theirs.type);
}

void compare_sequences(const SideCatalog& source, const SideCatalog& target, std::vector<std::string>& differences) {
  std::map<QualifiedName, const Sequence*> theirs;
  for (const auto& sequence : target.sequences) theirs.emplace(sequence.name, &sequence);
  for (const auto& sequence : source.sequences) {
    const auto found = theirs.find(sequence.name);
    if (found == theirs.end()) {
      differences.push_back("sequence " + sequence.name.display() + " is missing on " + target.color);
      continue;
    }
    compare_sequence(sequence, *found->second, differences);
    theirs.erase(found);
  }
  for (const auto& [name, sequence] : theirs)
    differences.push_back("sequence " + name.display() + " is missing on " + source.color);
}

}  // namespace

SideCatalog read_catalog(Connection& on, const std::string& color, Deadline deadline) {
  return {color, user_tables(on, deadline, TableSizes::read), user_sequences(on, deadline)};
}

Agreement agree(const SideCatalog& source, const SideCatalog& target, const HashAgreement& hashes,
                const TableSelection& filter) {
  Agreement out;
  const auto ours = leaves(source, true, filter, out);
  const auto theirs = leaves(target, false, filter, out);
  for (const auto& [name, table] : ours) {
    const auto found = theirs.find(name);
    if (found == theirs.end()) {
      out.one_sided.emplace_back(name, target.color);
      out.gaps.push_back({"schema.missing-table", name.display()});
    } else {
      out.tables.push_back(TableAgreement(*table, *found->second, hashes, out).make(source.color, target.color));
    }
  }
  for (const auto& [name, table] : theirs) {
    if (ours.contains(name)) continue;
    out.one_sided.emplace_back(name, source.color);
    out.gaps.push_back({"schema.extra-table", name.display()});
  }
  compare_sequences(source, target, out.differences);
  for (const auto& difference : out.differences) out.gaps.push_back({"schema.sequences", difference});
  return out;
}

}  // namespace verdigris
