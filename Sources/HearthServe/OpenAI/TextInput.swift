import HearthInference

/// One text or several, as such or as token ids.
enum TextInput: Decodable {
    case texts([String])
    case tokens([[Int32]])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let text = try? value.decode(String.self) {
            self = .texts([text])
        } else if let texts = try? value.decode([String].self), !texts.isEmpty {
            self = .texts(texts)
        } else if let tokens = try? value.decode([Int32].self) {
            self = .tokens([tokens])
        } else if let lists = try? value.decode([[Int32]].self) {
            self = .tokens(lists)
        } else {
            throw DecodingError.dataCorruptedError(
                in: value, debugDescription: "expected a text, a list of token ids, or a list of either")
        }
    }

    func tokens(_ language: LanguageModel) -> [[Int32]] {
        switch self {
        case .texts(let texts): texts.map { language.tokenizer.encode($0) }
        case .tokens(let lists): lists
        }
    }
}
