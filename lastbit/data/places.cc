#include "lastbit/data/places.h"

#include <cstdlib>
#include <system_error>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

std::vector<std::filesystem::path> data_folders(const DataOptions& options) {
  std::vector<std::filesystem::path> folders;
  if (!options.data_dir.empty()) folders.push_back(options.data_dir);
  const char* const variable = std::getenv("LASTBIT_DATA");
  if (variable != nullptr && *variable != '\0') folders.emplace_back(variable);
  folders.emplace_back("data");
  return folders;
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

std::filesystem::path find_folder(const std::string& path, const DataOptions& options) {
  std::vector<std::filesystem::path> places;
  for (const std::filesystem::path& folder : data_folders(options)) places.push_back(folder / path);
  places.emplace_back(path);
  for (const std::filesystem::path& place : places) {
    if (!path.empty() && is_folder(place)) return place;
  }
  std::vector<std::string> searched;
  searched.reserve(places.size());
  for (const std::filesystem::path& place : places) searched.push_back(place.string());
  throw InputError(cat("[dataset] no folder '", path, "': searched ", join(searched)));
}

}  // namespace lastbit
