/// Cuts a template into text and tags, with Hugging Face's settings: a newline after a block tag is dropped, and so are
/// blanks in front of a block tag that starts its line.
struct JinjaLexer {
    enum Piece: Equatable {
        case text(String)
        case output(String, line: Int)
        case block(String, line: Int)
    }

    static func pieces(of template: String) throws(ChatTemplateError) -> [Piece] {
        let characters = Array(template)
        var pieces: [Piece] = []
        var text = ""
        var at = 0
        var line = 1
        func starts(_ mark: String, at index: Int) -> Bool { characters[index...].starts(with: mark) }
        while at < characters.count {
            guard let (kind, close) = opening(characters, at) else {
                if characters[at].isNewline { line += 1 }
                text.append(characters[at])
                at += 1
                continue
            }
            let startLine = line
            guard let end = closing(close, characters, at + 2) else {
                throw ChatTemplateError(line: line, message: "'\(kind)' is not closed")
            }
            var inside = String(characters[at + 2..<end])
            line += inside.filter(\.isNewline).count
            at = end + 2
            if inside.hasPrefix("-") {
                inside.removeFirst()
                while text.last?.isWhitespace == true { text.removeLast() }
            } else if kind != "{{" {
                dropIndent(&text)
            }
            if !text.isEmpty { pieces.append(.text(text)) }
            text = ""
            if inside.hasSuffix("-") {
                inside.removeLast()
                while at < characters.count, characters[at].isWhitespace {
                    if characters[at].isNewline { line += 1 }
                    at += 1
                }
            } else if kind != "{{", at < characters.count, characters[at].isNewline {
                line += 1
                at += 1
            }
            if kind == "{{" { pieces.append(.output(inside, line: startLine)) }
            if kind == "{%" { pieces.append(.block(inside, line: startLine)) }
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        return pieces
    }

    /// Where a tag ends: a mark within a string is none, but comments have no strings.
    private static func closing(_ mark: String, _ characters: [Character], _ start: Int) -> Int? {
        var quote: Character?
        var at = start
        while at < characters.count {
            let character = characters[at]
            if let open = quote {
                if character == "\\" { at += 1 } else if character == open { quote = nil }
            } else if characters[at...].starts(with: mark) {
                return at
            } else if mark != "#}", character == "'" || character == "\"" {
                quote = character
            }
            at += 1
        }
        return nil
    }

    private static func opening(_ characters: [Character], _ at: Int) -> (String, String)? {
        guard characters[at] == "{", at + 1 < characters.count else { return nil }
        switch characters[at + 1] {
        case "{": return ("{{", "}}")
        case "%": return ("{%", "%}")
        case "#": return ("{#", "#}")
        default: return nil
        }
    }

    /// Blanks between the last newline and a block tag.
    private static func dropIndent(_ text: inout String) {
        let indent = text.reversed().prefix { $0 == " " || $0 == "\t" }.count
        let before = text.dropLast(indent)
        if before.isEmpty || before.last!.isNewline { text = String(before) }
    }
}

/// Words of an expression.
enum JinjaToken: Equatable {
    case name(String)
    case string(String)
    case integer(Int)
    case symbol(String)

    static func tokens(of source: String, line: Int) throws(ChatTemplateError) -> [JinjaToken] {
        let characters = Array(source)
        var tokens: [JinjaToken] = []
        var at = 0
        while at < characters.count {
            let character = characters[at]
            if character.isWhitespace {
                at += 1
            } else if character == "'" || character == "\"" {
                tokens.append(.string(try string(characters, &at, line)))
            } else if character.isNumber {
                let digits = String(characters[at...].prefix { $0.isNumber })
                guard let value = Int(digits) else { throw ChatTemplateError(line: line, message: "number \(digits)") }
                tokens.append(.integer(value))
                at += digits.count
            } else if character.isLetter || character == "_" {
                let word = String(characters[at...].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
                tokens.append(.name(word))
                at += word.count
            } else if at + 1 < characters.count,
                ["==", "!=", "<=", ">=", "//"].contains(String(characters[at...at + 1]))
            {
                tokens.append(.symbol(String(characters[at...at + 1])))
                at += 2
            } else if "+-*%~<>.,:[](){}|=".contains(character) {
                tokens.append(.symbol(String(character)))
                at += 1
            } else {
                throw ChatTemplateError(line: line, message: "'\(character)' is not supported")
            }
        }
        return tokens
    }

    private static func string(_ characters: [Character], _ at: inout Int, _ line: Int) throws(ChatTemplateError)
        -> String
    {
        let quote = characters[at]
        var text = ""
        at += 1
        while at < characters.count, characters[at] != quote {
            if characters[at] == "\\", at + 1 < characters.count {
                at += 1
                text.append(["n": "\n", "t": "\t", "r": "\r"][characters[at]] ?? characters[at])
            } else {
                text.append(characters[at])
            }
            at += 1
        }
        guard at < characters.count else { throw ChatTemplateError(line: line, message: "a string is not closed") }
        at += 1
        return text
    }
}
