// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

/// Our own reader and writer, held beside jansson.
@Suite struct PlainJSONTests {
    private static let texts = [
        #"{"a":[1,-2,0,true,false,null,"x"],"b":{"":" ~"}}"#, " [ ] ", "{}", #"{ "a" : { } }"#, "-0", "999999999999999999",
        "\t\"text\"\r\n", #"[[["deep"]],[]]"#,
    ]

    @Test(arguments: texts) func `what it reads is what jansson reads`(text: String) throws {
        #expect(try PlainJSON.parse(Array(text.utf8)) == JSON(parsingByJansson: Array(text.utf8)))
    }

    @Test(arguments: [
        "", "[1,]", "{,}", #"{"a"}"#, #"{"a":1,}"#, "01", "-", "1.5", "1e3", "9999999999999999999", #""\n""#, "\"é\"", "\"",
        "nul", "[1] 2", #"{"a":1,"a":2}"#, "\"\u{1}\"", "\"\u{7f}\"", "\u{feff}1", "+1", "[1 2]", "'a'", "{a:1}", "\u{c}1",
        String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
    ])
    func `it gives up on what is wrong or out of the ordinary`(text: String) {
        #expect(PlainJSON.parse(Array(text.utf8)) == nil)
    }

    /// Every text that is one byte away from a good one.
    @Test(arguments: texts) func `it takes nothing that jansson refuses, and nothing for something else`(text: String) {
        let bytes = Array(text.utf8)
        for index in bytes.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = bytes
                changed[index] = byte
                guard let read = PlainJSON.parse(changed) else { continue }
                #expect(read == (try? JSON(parsingByJansson: changed)), "\(String(decoding: changed, as: UTF8.self))")
            }
            let cut = Array(bytes[..<index])
            if let read = PlainJSON.parse(cut) { #expect(read == (try? JSON(parsingByJansson: cut))) }
        }
    }

    @Test func `what is written is what jansson writes`() {
        let characters = (0..<0x80).map { String(Unicode.Scalar(UInt8($0))) }.filter { $0 != "\0" }
        let values: [JSON] = [
            .array(characters.map { .string($0) }), ["é": "é", "z": 1, "a": [:], "": [], "Z": ["b": true, "a": .null]],
            [.integer(.min), .integer(.max), 0], "\u{1F600}\u{2028}", ["e\u{301}": 1, "\u{e9}": 2, "f": 3],
        ]
        for value in values {
            #expect(value.canonical == value.textByJansson(sortsMembers: true))
            #expect(value.compact == value.textByJansson(sortsMembers: false))
        }
        #expect(JSON.real(0.5).canonical == "0.5")
    }
}
