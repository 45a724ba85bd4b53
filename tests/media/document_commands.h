// The commands of media_tool that write and read documents.
#pragma once

#include <optional>
#include <span>

namespace layerpipe::media {

// Carries out what `words` say, if it is one of
//   ora OUT.ora DOCUMENT       writes OpenRaster
//   pptx OUT.pptx DOCUMENT     writes a presentation
//   read-ora IN.ora FOLDER     writes the layers as FOLDER/0.png …, from the back; prints the size, the names
//   read-psd IN.psd FOLDER     the same, and remarks
//   bleed IN OUT.png           spreads the colours of a picture
// where DOCUMENT is { layer NAME FILE | title TEXT | generator TEXT | parameter NAME TEXT }, its layers from
// the back. The exit code, or nothing when it is another command. Throws what the writers and readers throw.
std::optional<int> run_document_command(std::span<char*> words);

}  // namespace layerpipe::media
