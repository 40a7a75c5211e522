"""pycrate as the judge of SS7 messages: reads M3UA in hexadecimal, one message a line with the version of
MAP in front (0 where there is none), and says what it finds as one JSON object a line. What it cannot read, or
writes otherwise than it stood there, is an error."""

import importlib
import json
import sys

from pycrate_mobile import SCCP, SIGTRAN

PROTOCOL_DATA = 528
LABEL_OCTETS = 12


def tcap_of(version):
    name = "TCAP_MAPv2" if version == 2 else "TCAP_MAPv2v3"
    return getattr(importlib.import_module("pycrate_asn1dir." + name), "TCAP_MAP_Messages").TCAP_MAP_Message


def plain(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def tcap(octets, version):
    message = tcap_of(version)
    message.from_ber(octets)
    kind, value = message.get_val()
    said = {"tcap": kind, "dtid": plain(value["dtid"])}
    if kind == "abort":
        said["reason"] = [plain(part) for part in value["reason"]]
        return said
    if "dialoguePortion" in value:
        name, dialogue = value["dialoguePortion"]["encoding"][1][1]
        said["dialogue"], said["context"] = name, list(dialogue["application-context-name"])
        said["result"] = dialogue["result"]
    (_, (kind, component)), = value["components"]
    said["component"], said["invoke"] = kind, component["invokeId"][1]
    said["error"] = component["errcode"][1]
    if "parameter" in component:
        said["parameter"] = [plain(part) for part in component["parameter"]]
    return said


def sccp(octets, version):
    message, error = SCCP.parse_SCCP(octets)
    if error or message.to_bytes() != octets:
        raise ValueError("SCCP %s" % error)
    said = {"sccp": message._name}
    if "RetCause" in message.get_val_d():
        said["cause"] = message["RetCause"].get_val()
    elif version:
        pointer = octets[4] + 4
        said.update(tcap(octets[pointer + 1 : pointer + 1 + octets[pointer]], version))
    return said


def m3ua(octets, version):
    message = SIGTRAN.SIGTRAN()
    message.from_bytes(octets)
    if message.to_bytes() != octets or message["Header"]["Len"].get_val() != len(octets):
        raise ValueError("M3UA")
    header = message["Header"]
    said = {"class": header["Class"].get_val(), "type": header["Type"].get_val(), "parameters": {}}
    for one in message["Params"]:
        tag, value = one["Tag"].get_val(), one["Val"].to_bytes()
        if tag == PROTOCOL_DATA:
            said.update(sccp(value[LABEL_OCTETS:], version))
        else:
            said["parameters"][tag] = value.hex()
    return said


for line in sys.stdin:
    version, octets = line.split()
    try:
        said = m3ua(bytes.fromhex(octets), int(version))
    except Exception as error:
        said = {"wrong": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(said))
