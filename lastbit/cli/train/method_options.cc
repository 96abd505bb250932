#include "lastbit/cli/train/method_options.h"

#include <algorithm>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// One option of the command line, which several methods may have.
struct SharedOption {
  OptionInfo info;
  std::vector<std::string_view> methods;
};

// In the order of their first methods. Where methods differ in fallback or help, the first one's is
// shown.
std::vector<SharedOption> shared_options() {
  std::vector<SharedOption> result;
  for (const MethodInfo& method : methods()) {
    for (const OptionInfo& option : method.options) {
      const auto same = std::find_if(result.begin(), result.end(), [&](const SharedOption& one) {
        return one.info.name == option.name;
      });
      if (same == result.end()) {
        result.push_back({option, {method.name}});
      } else {
        same->methods.push_back(method.name);
      }
    }
  }
  return result;
}

bool is_flag(const OptionInfo& option) {
  return option.fallback == "true" || option.fallback == "false";
}

// The value becomes the default, so that the saved configuration shows it.
void advise(CLI::App& app, const Advice& advice) {
  CLI::Option* option = app.get_option(cat("--", advice.option));
  if (option->count() == 0) option->default_val(std::string(advice.value));
}

}  // namespace

bool has_option(const MethodInfo& info, std::string_view name) {
  return std::any_of(info.options.begin(), info.options.end(), [&](const OptionInfo& option) {
    return option.name == name;
  });
}

void add_method_options(CLI::App& app, MethodChoice& choice) {
  std::vector<std::string_view> known;
  for (const MethodInfo& info : methods()) known.push_back(info.name);
  app.add_option("--method", choice.name, cat("How weights reach the codebook: ", join(known)))
      ->type_name("NAME");
  app.add_option("--schedule",
                 choice.schedule,
                 "auto: what works without tuning; paper: the settings of the method's paper, "
                 "for what is not given")
      ->check(CLI::IsMember({"auto", "paper"}))
      ->type_name("auto|paper");
  for (const SharedOption& option : shared_options()) {
    std::string& text = choice.texts[std::string(option.info.name)];
    text = option.info.fallback;
    const std::string help = cat(join(option.methods), ": ", option.info.help);
    if (is_flag(option.info)) {
      const std::string names =
          cat("--", option.info.name, "{true},--no-", option.info.name, "{false}");
      app.add_flag(names, text, help)->group("Methods");
    } else {
      app.add_option(cat("--", option.info.name), text, help)->type_name("VALUE")->group("Methods");
    }
  }
}

const MethodInfo& settle_method(CLI::App& app, MethodChoice& choice) {
  const MethodInfo& info = find_method(choice.name);
  std::map<std::string, std::string> typed;
  for (const auto& [name, text] : choice.texts) {
    CLI::Option* option = app.get_option(cat("--", name));
    if (option->count() > 0) typed.emplace(name, text);
    option->configurable(has_option(info, name));
  }
  const Settings checked(info.name, info.options, std::move(typed));
  if (choice.schedule == "paper" && info.paper.empty()) {
    throw InputError(cat("[schedule] the paper of '",
                         info.name,
                         "' gives no settings that could be taken over, expected --schedule auto"));
  }
  for (const OptionInfo& option : info.options) advise(app, {option.name, option.fallback});
  for (const Advice& advice : choice.schedule == "paper" ? info.paper : info.usual) {
    advise(app, advice);
  }
  return info;
}

std::unique_ptr<Method> make_method(const MethodInfo& info, const MethodChoice& choice) {
  std::map<std::string, std::string> given;
  for (const OptionInfo& option : info.options) {
    given.emplace(option.name, choice.texts.at(std::string(option.name)));
  }
  return make_method(info, given);
}

std::string method_list() {
  std::string result;
  for (const MethodInfo& info : methods()) {
    result += cat(info.name,
                  std::string(16 - std::min<std::size_t>(15, info.name.size()), ' '),
                  info.summary,
                  "\n");
  }
  return result;
}

}  // namespace lastbit
