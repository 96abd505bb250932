#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lastbit/state/state.h"

namespace lastbit {

/// The state dict in a file of torch.save: a zip archive (PyTorch 1.6 and later; data.pkl, and a
/// file for each storage), or pickles followed by the storages (before, and on request). No code
/// of the file is run; see pickle.h.
/// @param bytes  the whole file, which lives as long as `owner` does.
/// @param where  begins every error message, as "[pytorch] net.pth".
/// @throws FormatError if the file is damaged, of a machine that is big-endian, a TorchScript
///     program, a whole module in place of its state dict, or something else.
std::vector<StateTensor> read_torch(std::span<const std::byte> bytes,
                                    const std::shared_ptr<const void>& owner,
                                    const std::string& where);

}  // namespace lastbit
