"""A visited MME on python-diameter: asks what its arguments say and prints one line an answer.

usage: mme.py LOCAL_ADDRESS NAME PEER PEER_REALM PEER_ADDRESS (air|ulr):IMSI:PLMN ...

Each line: the request, then `base CODE` or `experimental VENDOR CODE`, then the answer's origin.
The exit status is 3 when the peer would not have us, with its Result-Code printed as `refused CODE`.
"""

import sys

from diameter.message.avp.grouped import RequestedEutranAuthenticationInfo
from diameter.message.avp.grouped import VendorSpecificApplicationId
from diameter.message.commands import AuthenticationInformationRequest, UpdateLocationRequest
from diameter.node import Node
from diameter.node.application import ApplicationError, SimpleThreadingApplication

S6A, VENDOR_3GPP = 16777251, 10415
DESTINATION_REALM = "home.lab"
READY_S, REFUSED_S, ANSWER_S = 20, 3, 10


def plmn_octets(digits):
    """TBCD with the filler of TS 24.008 in the place of a third network digit."""
    mcc, mnc = digits[:3], digits[3:]
    third = mnc[2] if len(mnc) == 3 else "f"
    return bytes.fromhex(mcc[1] + mcc[0] + third + mcc[2] + mnc[1] + mnc[0])


def request(node, kind, imsi, plmn):
    if kind == "air":
        message = AuthenticationInformationRequest()
        message.requested_eutran_authentication_info = RequestedEutranAuthenticationInfo(
            number_of_requested_vectors=1, immediate_response_preferred=1
        )
    else:
        message = UpdateLocationRequest()
        message.rat_type, message.ulr_flags = 1004, 34
    message.session_id = node.session_generator.next_id()
    message.vendor_specific_application_id = VendorSpecificApplicationId(
        vendor_id=VENDOR_3GPP, auth_application_id=S6A
    )
    message.auth_session_state = 1
    message.origin_host, message.origin_realm = node.origin_host.encode(), node.realm_name.encode()
    message.destination_realm = DESTINATION_REALM.encode()
    message.user_name, message.visited_plmn_id = imsi, plmn_octets(plmn)
    message.header.is_proxyable = True
    return message


def outcome(answer):
    experimental = getattr(answer, "experimental_result", None)
    if experimental is not None:
        return f"experimental {experimental.vendor_id} {experimental.experimental_result_code}"
    return f"base {answer.result_code}"


def main():
    address, name, peer_name, peer_realm, peer_address, *asks = sys.argv[1:]
    node = Node(name, name.split(".", 1)[1], ip_addresses=[address], vendor_ids=[VENDOR_3GPP])
    codes = []
    receive_cea = node.receive_cea

    def listen(connection, message):
        codes.append(message.result_code)
        receive_cea(connection, message)

    node.receive_cea = listen
    uri = f"aaa://{peer_name}:3868"
    peer = node.add_peer(uri, peer_realm, ip_addresses=[peer_address], is_persistent=True)
    application = SimpleThreadingApplication(S6A, is_auth_application=True)
    node.add_application(application, [peer], [DESTINATION_REALM])
    node.wakeup_interval = 1
    node.start()
    try:
        application.wait_for_ready(READY_S if asks else REFUSED_S)
        for ask in asks:
            kind, imsi, plmn = ask.split(":")
            answer = application.send_request(request(node, kind, imsi, plmn), timeout=ANSWER_S)
            print(ask, outcome(answer), answer.origin_host.decode(), flush=True)
    except ApplicationError:
        print("refused", *codes[:1], flush=True)
        sys.exit(3)
    finally:
        node.stop(wait_timeout=2)


main()
