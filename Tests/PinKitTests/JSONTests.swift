// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct JSONTests {
    @Test func `canonical text sorts members at every level and has no spaces`() throws {
        let json = try JSON(parsing: #"{ "b": [1, {"z": null, "a": true}], "a": "é" }"#)
        #expect(json["a"]?.string == "é")
        #expect(json.canonical == #"{"a":"é","b":[1,{"a":true,"z":null}]}"#)
    }

    @Test func `an object keeps the order it was written in`() throws {
        #expect(try JSON(parsing: #"{"z":1,"a":2,"m":3}"#).object?.names == ["z", "a", "m"])
    }

    @Test func `a broken text says where`() throws {
        let error = try #require(throws: JSONError.self) { _ = try JSON(parsing: "{\"t\":1,\n \"pins\" {}}") }
        #expect(error.place == "line 2, column 9")
        #expect("\(error)".contains("':' expected"))
    }

    @Test(arguments: [#"{"a":1,"a":2}"#, "[1] 2", "", "nul", #""\u0000""#, "[1,]", "\"\u{1}\"", "1e999"])
    func `what is not exactly one strict value is refused`(text: String) {
        #expect(throws: JSONError.self) { _ = try JSON(parsing: text) }
    }

    @Test func `depth and length are bounded`() throws {
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(throws: JSONError.self) { _ = try JSON(parsing: deep) }
        #expect(throws: JSONError.self) { _ = try JSON(parsing: "[1,2,3]", limit: 6) }
    }

    @Test func `the reader names what is missing, wrong or unknown`() throws {
        var reader = try JSONReader(["url": 7, "odd": [:]] as JSON, at: "pins.tang[0]")
        #expect(throws: JSONError(place: "pins.tang[0].url", problem: "must be a string")) { _ = try reader.string("url") }
        #expect(throws: JSONError(place: "pins.tang[0].thp", problem: "is missing")) { _ = try reader.string("thp") }
        #expect(throws: JSONError(place: "pins.tang[0]", problem: "unknown member odd")) { try reader.finish() }
    }

    /// A body may be that large; looking each name up among those before it would take minutes.
    @Test func `an object of a hundred thousand members is read in their order`() throws {
        let names = (0..<100_000).map { "m\($0)" }
        let text = "{" + names.map { "\"\($0)\":1" }.joined(separator: ",") + "}"
        #expect(try JSON(parsing: text).object?.names == names)
    }

    @Test func `many unknown members make a short error`() throws {
        let reader = try JSONReader(["a": 1, "b": 2, "c": 3] as JSON)
        #expect(throws: JSONError(place: "", problem: "unknown member a and 2 more")) { try reader.finish() }
    }
}
