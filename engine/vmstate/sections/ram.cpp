#include "engine/vmstate/sections/ram.hpp"

#include <string_view>
#include <unordered_map>
#include <utility>

#include "engine/vmstate/value_text.hpp"

namespace vcpr::vmstate {

namespace {

constexpr std::uint64_t kFlagBits = kRamPageBytes - 1;

constexpr std::uint64_t bits(RamFlag flag) {
  return static_cast<std::uint64_t>(flag);
}

/// "mem_size", "zero|continued" ...; empty for a combination that no writer sends.
std::string_view flags_text(std::uint64_t flags) {
  switch (flags) {
    case bits(RamFlag::zero):
      return "zero";
    case bits(RamFlag::zero) | bits(RamFlag::continued):
      return "zero|continued";
    case bits(RamFlag::mem_size):
      return "mem_size";
    case bits(RamFlag::page):
      return "page";
    case bits(RamFlag::page) | bits(RamFlag::continued):
      return "page|continued";
    case bits(RamFlag::end):
      return "end";
    default:
      return "";
  }
}

class PartReader {
 public:
  PartReader(wire::Reader& in, RamContext& context, Observer* observer, std::string_view prefix)
      : in_(in), context_(context), observer_(observer), prefix_(prefix) {}

  Expected<RamPart> read() {
    for (;;) {
      std::uint64_t begin = in_.offset();
      auto word = in_.be64("record");
      if (!word) return std::unexpected(std::move(word.error()));
      std::uint64_t flags = *word & kFlagBits;
      std::string_view kind = flags_text(flags);
      if (observer_ != nullptr) report_word(begin, *word, kind);
      if (kind.empty()) return refuse_at(ErrorCode::bad_value, begin, {"record flags ", Decimal(flags)});
      if (flags == bits(RamFlag::end)) return std::move(part_);
      auto done = flags == bits(RamFlag::mem_size) ? blocks(*word - flags) : page(begin, *word);
      if (!done) return std::unexpected(std::move(done.error()));
    }
  }

 private:
  Expected<void> blocks(std::uint64_t total);
  Expected<std::uint64_t> block();
  Expected<void> page(std::uint64_t record, std::uint64_t word);

  void report(std::uint64_t begin, std::string_view field, Role role, std::string_view type, std::string_view value) {
    std::string path(prefix_);
    path += field;
    observer_->field(
        {.offset = begin, .size = in_.offset() - begin, .path = path, .role = role, .type = type, .value = value});
  }
  void report_word(std::uint64_t begin, std::uint64_t word, std::string_view kind) {
    std::string text = integer_text(word & ~kFlagBits, sizeof word, false);
    text += ' ';
    text += kind;
    report(begin, "record", Role::integer, "uint64", text);
  }
  Expected<std::string_view> name(std::string_view field) {
    std::uint64_t begin = in_.offset();
    auto text = in_.counted_string(field);
    if (text && observer_ != nullptr) report(begin, field, Role::text, "short text", quoted(*text));
    return text;
  }
  Expected<std::uint64_t> word(std::string_view field) {
    std::uint64_t begin = in_.offset();
    auto value = in_.be64(field);
    if (value && observer_ != nullptr) {
      report(begin, field, Role::integer, "uint64", integer_text(*value, sizeof *value, false));
    }
    return value;
  }

  wire::Reader& in_;
  RamContext& context_;
  Observer* observer_;
  std::string_view prefix_;
  RamPart part_;
};

/// The used lengths add up to the total, which ends the list.
Expected<void> PartReader::blocks(std::uint64_t total) {
  for (std::uint64_t left = total; left != 0;) {
    std::uint64_t begin = in_.offset();
    if (part_.blocks.size() == kMaxRamBlocks) return refuse_at(ErrorCode::bad_length, begin, {"too many RAM blocks"});
    auto used = block();
    if (!used) return std::unexpected(std::move(used.error()));
    if (*used > left) {
      return refuse_at(ErrorCode::bad_value, begin,
                       {"a RAM block of ", Decimal(*used), " bytes where ", Decimal(left), " are left of the total"});
    }
    left -= *used;
  }
  return {};
}

Expected<std::uint64_t> PartReader::block() {
  auto text = name("block.name");
  if (!text) return std::unexpected(std::move(text.error()));
  auto used = word("block.used_length");
  if (!used) return used;
  RamBlock& added = part_.blocks.emplace_back();
  added.name = *text;
  added.used_length = *used;
  if (!context_.with_addresses) return used;
  auto address = word("block.address");
  if (!address) return address;
  added.address = *address;
  return used;
}

Expected<void> PartReader::page(std::uint64_t record, std::uint64_t word) {
  std::uint64_t flags = word & kFlagBits;
  bool named = (flags & bits(RamFlag::continued)) == 0;
  if (named) {
    auto block = name("page.block");
    if (!block) return std::unexpected(std::move(block.error()));
    context_.has_block = true;
    context_.block = *block;
  } else if (!context_.has_block) {
    return refuse_at(ErrorCode::bad_value, in_.offset(), {"a page of the same block before any block was named"});
  }
  std::uint64_t begin = in_.offset();
  auto bytes = in_.bytes((flags & bits(RamFlag::page)) != 0 ? kRamPageBytes : 1, "page");
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  if (observer_ != nullptr) report(begin, "page.bytes", Role::buffer, "buffer", bytes_text(*bytes));
  ++part_.pages;
  if (context_.pages == nullptr) return {};
  auto taken = context_.pages->page(context_.block, word & ~kFlagBits, *bytes);
  if (!taken) taken.error().offset = record;
  return taken;
}

/// Two blocks of one name.
Expected<void> check_same(const RamBlock& ours, const RamBlock& theirs) {
  if (ours.used_length != theirs.used_length) {
    return refuse(ErrorCode::bad_value, {"RAM block ", quoted(theirs.name), ": ", Decimal(theirs.used_length),
                                         " bytes, here ", Decimal(ours.used_length)});
  }
  if (ours.address == theirs.address) return {};
  return refuse(ErrorCode::bad_value,
                {"RAM block ", quoted(theirs.name), ": at address ", Decimal(theirs.address.value_or(0)), ", here ",
                 Decimal(ours.address.value_or(0))});
}

}  // namespace

Expected<RamPart> read_ram_part(wire::Reader& in, RamContext& context, Observer* observer, std::string_view prefix) {
  return PartReader(in, context, observer, prefix).read();
}

Expected<void> RamSection::save_start(wire::Writer& out) {
  return write_ram_setup(blocks_, out);
}

Expected<void> RamSection::save_last_part(wire::Writer& out) {
  write_ram_end(out);
  return {};
}

Expected<void> RamSection::load_part(wire::Reader& in, std::uint32_t) {
  std::uint64_t begin = in.offset();
  context_.with_addresses = !blocks_.empty() && blocks_.front().address.has_value();
  auto part = read_ram_part(in, context_);
  if (!part) return std::unexpected(std::move(part.error()));
  if (part->pages != 0)
    return refuse_at(ErrorCode::bad_value, begin, {"pages came, though memory is handed over whole"});
  bool is_first = !std::exchange(is_begun_, true);
  if (!is_first && part->blocks.empty()) return {};
  auto same = check_ram_blocks(blocks_, part->blocks);
  if (!same) same.error().offset = begin;
  return same;
}

Expected<void> check_ram_blocks(std::span<const RamBlock> here, std::span<const RamBlock> came) {
  struct Pair {
    const RamBlock* ours = nullptr;
    int times_came = 0;
  };
  std::unordered_map<std::string_view, Pair> by_name;
  by_name.reserve(here.size());
  for (const RamBlock& ours : here) by_name.try_emplace(ours.name, Pair{.ours = &ours});
  for (const RamBlock& theirs : came) {
    if (auto known = by_name.find(theirs.name); known != by_name.end()) ++known->second.times_came;
  }
  for (const RamBlock& ours : here) {
    if (by_name.find(ours.name)->second.times_came == 1) continue;
    return refuse(ErrorCode::bad_value, {"RAM block ", quoted(ours.name), " did not come once"});
  }
  for (const RamBlock& theirs : came) {
    auto known = by_name.find(theirs.name);
    if (known == by_name.end()) {
      return refuse(ErrorCode::bad_value, {"RAM block ", quoted(theirs.name), " is unknown"});
    }
    if (auto same = check_same(*known->second.ours, theirs); !same) return same;
  }
  return {};
}

Expected<void> write_ram_setup(std::span<const RamBlock> blocks, wire::Writer& out) {
  std::uint64_t total = 0;
  for (const RamBlock& block : blocks) {
    if (block.name.size() > wire::kCountedStringBytes) {
      return refuse(ErrorCode::bad_length, {"RAM block ", quoted(block.name), ": the name is too long"});
    }
    if (__builtin_add_overflow(total, block.used_length, &total)) {
      return refuse(ErrorCode::bad_length, {"RAM block ", quoted(block.name), ": the total is too large"});
    }
  }
  if ((total & kFlagBits) != 0) return refuse(ErrorCode::bad_length, {"RAM blocks are not whole pages"});
  out.be64(total | bits(RamFlag::mem_size));
  for (const RamBlock& block : blocks) {
    out.counted_string(block.name);
    out.be64(block.used_length);
    if (block.address) out.be64(*block.address);
  }
  write_ram_end(out);
  return {};
}

void write_ram_page(std::string_view block, std::uint64_t offset, std::span<const std::byte> bytes, wire::Writer& out) {
  std::uint64_t continued = block.empty() ? bits(RamFlag::continued) : 0;
  out.be64(offset | bits(RamFlag::page) | continued);
  if (!block.empty()) out.counted_string(block);
  out.bytes(bytes);
}

void write_ram_end(wire::Writer& out) {
  out.be64(bits(RamFlag::end));
}

}  // namespace vcpr::vmstate
