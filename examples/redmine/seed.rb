# What is in this Redmine from the beginning, besides its own default data. Run by `rails runner`.

require 'securerandom'

Redmine::DefaultData::Loader.load('en')

public_url = URI(ENV.fetch('DESKGATE_PUBLIC_URL'))
{
  # Anyone who is not an agent has nothing here, and nobody has a password.
  login_required: '1', self_registration: '0', lost_password: '0', autologin: '0',
  rest_api_enabled: '1',
  protocol: public_url.scheme, host_name: public_url.authority,
  attachment_max_size: 100 * 1024,
}.each { |name, value| Setting[name] = value }

admin = User.find_by(login: 'admin')
admin.password = admin.password_confirmation = SecureRandom.base64(24)
admin.must_change_passwd = false
admin.save!

Role.non_member.add_permission!(:view_issues, :add_issues, :edit_issues, :add_issue_notes, :view_files)
Project.create!(name: 'Help desk', identifier: 'desk', is_public: true, trackers: Tracker.all,
                enabled_module_names: ['issue_tracking'])
